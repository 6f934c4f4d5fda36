"""FastStream, with the SDK's default transport."""

import faststream_app

faststream_app.main(aiohttp=False)
