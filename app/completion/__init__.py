"""One model call and its wrappers: catalogue, metering, retrying, pricing."""
