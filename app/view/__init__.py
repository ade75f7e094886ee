"""The chat in the browser; what it needs of Chainlit is in `app.view.chainlit`."""
