"""What a prediction over HTTP goes through: judged, remembered, answered, recorded."""
