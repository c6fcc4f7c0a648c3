"""The ten steps from bytes to ERP and back, each in the module that does it.

    arrive      1-2  bytes are stored and queued: a file, or by `conversation` an AS2 message
    reading     3-7  read, know, check, acknowledge, map
    delivering  8-9  to the ERP, and what follows (decided by `gateway.orders`)
    outbound    9    mapped, numbered, stored and queued in one transaction
    batching    9    where so agreed, gathered before that
    sending     9    by AS2 or into a folder, until there is a receipt
    receipts    9    those that close what was sent, and ours that are posted
    reconcile   10   a partner's acknowledgment closes what it names

A job's effects are recorded in the one transaction that completes it, so a job that runs again after a crash
changes nothing. Effects outside the database happen at least once with the same bytes (AS2), or exactly once
(folders: `gateway.folders`).
"""
