"""Before chainlit is imported anywhere: it makes its config and folders where it is told to."""

import os
import tempfile

_ROOT = tempfile.mkdtemp(prefix="konsilium-tests-")
os.environ["CHAINLIT_APP_ROOT"] = _ROOT
for name in list(os.environ):
    if name.endswith("_API_KEY") or name in ("OLLAMA_HOST", "DATABASE_URL", "OPENAI_SERVERS"):
        del os.environ[name]

from hypothesis import settings  # noqa: E402  # after the environment is made ours

# How long one example takes says more of the machine's load than of us; that texts take linear time
# has tests of its own. The gate tries the same examples each time; HYPOTHESIS=explore tries others.
settings.register_profile("konsilium", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS", "konsilium"))
