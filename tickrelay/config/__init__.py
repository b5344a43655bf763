"""How a setting is declared, read and checked, and which settings of the relay there are.

::

    schema.py         setting(), Setting: how one is declared; Secret, and the kinds that msgspec does not have
    conversion.py     text or TOML -> checked value, by msgspec; the wording of what is wrong
    places.py         where the text comes from: flags, environment, .env, files
    dotenv_file.py    the variables of .env, or the lines of it that cannot be read
    origins.py        origins of browser pages, in the form in which they are compared
    log_levels.py     levels of the log by namespace
    trusted_proxies.py  proxies whose word for a client's address is taken
    spelling.py       names that are no settings, and which ones were probably meant
    host_and_port.py  HOST and PORT, which mean different things in .env and in the environment
    settings.py       every setting of the relay: Config
    command_line.py   settings as options, and --help
"""
