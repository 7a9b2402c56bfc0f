"""What the dashboard shows beside the monitor: the recent past, happenings, and every part."""
