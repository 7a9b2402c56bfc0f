"""What people are asked, say, and disagree on."""
