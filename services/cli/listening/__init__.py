"""``penstock webhooks listen``: a receiver on this machine that shows and checks what comes."""
