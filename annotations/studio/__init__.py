"""Label Studio: a server of our own, its accounts and projects, tasks pushed there, annotations pulled."""
