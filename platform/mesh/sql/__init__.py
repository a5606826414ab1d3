"""The SQL access point: hostile SQL over copies of the ports that its asker is granted."""
