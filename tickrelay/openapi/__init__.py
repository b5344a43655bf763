"""The cTrader Open API as bytes and values: the generated schema, the registry of payload types, the frames."""
