"""Order intake: an event becomes a priced order in a database, a receipt in storage and a notification."""
