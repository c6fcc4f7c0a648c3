"""Files over SSH and in folders. Knows nothing of what the files hold.

`server.Server` lets partners put files in in/ and fetch those in out/; what happens is told to a journal
(`events`). `drop.Inbox` takes whole files out of a folder, ours or anybody's; `drop.put_atomically` puts them
in one. `client.connect` does the same to somebody else's server.
"""
