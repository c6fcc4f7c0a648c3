"""Files over SSH and in folders. Knows nothing of what the files hold.

`server.Server` lets partners put files in in/ and fetch those in out/; what happens is told to a journal
(`events`). `drop.Inbox` takes whole files out of a folder, ours or anybody's. `client.connect` puts and
fetches files on somebody else's server.
"""
