"""Web Push: through a browser's push service to a device whose page is closed (RFC 8030, 8291, 8292)."""
