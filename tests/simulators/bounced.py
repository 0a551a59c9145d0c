"""Bounces as mail servers write them (RFC 3464), in the forms that are met."""

from typing import Final

HEADERS: Final = """\
Received: by mail.test (Postfix, from userid 1000); Sun, 22 Nov 2026 02:00:01 +0000
From: Nightbell <bell@nightbell.test>
To: ben@example.test
Subject: Ana is VERY LOW: 52
Message-ID: {message_id}
Auto-Submitted: auto-generated
"""

_REPORT: Final = """\
Return-Path: <>
Date: Sun, 22 Nov 2026 02:00:05 +0000
From: Mail Delivery System <MAILER-DAEMON@mail.test>
To: bell@nightbell.test
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type={report_type};
\tboundary="3F9A.1795312805/mail.test"
Message-Id: <20261122020005.3F9A@mail.test>

This is a MIME-encapsulated message.

--3F9A.1795312805/mail.test
Content-Description: Notification
Content-Type: text/plain; charset=utf-8

I'm sorry to have to inform you that your message could not
be delivered to one or more recipients.

--3F9A.1795312805/mail.test
Content-Description: Delivery report
Content-Type: {status_type}

Reporting-MTA: dns; mail.test
{envid}Arrival-Date: Sun, 22 Nov 2026 02:00:01 +0000

Final-Recipient: rfc822; ben@example.test
Original-Recipient: rfc822;ben@example.test
Action: {action}
Status: {status}
Remote-MTA: dns; mx.example.test
Diagnostic-Code: smtp; {diagnostic}

--3F9A.1795312805/mail.test
Content-Description: Undelivered Message
Content-Type: {returned_type}

{returned}
--3F9A.1795312805/mail.test--
"""


def bounce(
    message_id: str = "",
    *,
    envid: str = "",
    action: str = "failed",
    status: str = "5.1.1",
    diagnostic: str = "550 5.1.1 <ben@example.test>: Recipient address rejected",
    returned_type: str = "message/rfc822",
    worldly: bool = False,
) -> bytes:
    """One report.

    Args:
        message_id: The Message-ID in the returned headers; without, nothing of the letter comes back.
        envid: The Original-Envelope-Id; without, the field is missing.
        action: What became of it.
        status: The enhanced status code.
        diagnostic: The other server's own words.
        returned_type: How the letter comes back: whole, or its headers only.
        worldly: In the form for addresses beyond ASCII (RFC 6533).
    """
    body = "" if "headers" in returned_type else "\nCheck Ana now.\n"
    text = _REPORT.format(
        report_type="global-delivery-status" if worldly else "delivery-status",
        status_type="message/global-delivery-status" if worldly else "message/delivery-status",
        envid=f"Original-Envelope-Id: {envid}\n" if envid else "",
        action=action,
        status=status,
        diagnostic=diagnostic,
        returned_type=returned_type,
        returned=HEADERS.format(message_id=message_id) + body if message_id else "(not returned)",
    )
    return text.replace("\n", "\r\n").encode()
