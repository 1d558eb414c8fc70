"""The command line: one group, ``talkingpoints``, and one module an area of commands."""
