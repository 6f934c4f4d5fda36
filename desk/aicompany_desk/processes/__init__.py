"""The processes of a company that is spread over many: one gateway, workers of one role or agent each."""
