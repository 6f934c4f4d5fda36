"""FastStream, with the SDK's aiohttp transport."""

import faststream_app

faststream_app.main(aiohttp=True)
