"""A company in a process that is made to be killed."""

import asyncio
import os
from pathlib import Path

from aicompany.spec.company import AICompany
from aicompany_desk.local.company import run_company


def live(state: str, api_url: str) -> None:
    """Run the company of this state directory until the process dies."""
    company = AICompany.model_validate(
        {
            "apiVersion": "aicompany.io/v1alpha1",
            "kind": "AICompany",
            "metadata": {"name": "victim"},
            # A worker that is killed twenty times with the same message in its hands would bury it as poison,
            # which is right for a company and wrong for this test of 200 deaths.
            "spec": {"gateway": {"port": 0}, "queues": {"deliveriesMax": 1000}, "retry": {"delaySeconds": 0.05}},
        }
    )
    environment = {**os.environ, "ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": api_url}

    async def until_killed() -> None:
        async with run_company(company, Path(state), environment=environment):
            await asyncio.Event().wait()

    asyncio.run(until_killed())
