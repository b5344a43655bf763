"""Where the simulator's quotes come from: a seeded random market, its catalogue and its history.

::

    market_setup    builds all of it for the broker
    market          quotes of every instrument in the order of their time   (assets: random walks; activity: pace)
    catalogue       the instruments as the messages that clients ask for
    instruments     what there is to trade: names, digits, spreads, pace
    hours           weekly schedules and holidays
    history         ticks and bars since the start; bars does the arithmetic of trend bars
    backfill        bars from before the start, drawn from the seed on demand
    depth           order books around the quotes, and who subscribed them
    source          what the broker needs of a market, random or recorded
"""
