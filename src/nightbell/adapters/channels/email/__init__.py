"""E-mail over SMTP: a record of what was told, never a promise to wake anybody."""
