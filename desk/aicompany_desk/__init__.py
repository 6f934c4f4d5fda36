"""Where people meet the company: command line, HTTP gateway and the runtime that runs it all on one machine."""
