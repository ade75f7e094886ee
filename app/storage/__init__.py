"""The database and the files: adapters of core's ports. Nothing here knows Chainlit or HTTP."""
