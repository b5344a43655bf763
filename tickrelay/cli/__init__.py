"""What the command line does besides running the service: ``check`` tries the settings step by step."""
