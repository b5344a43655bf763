// A user of the npm package @reiryoku/ctrader-layer: logs in, subscribes, stays past the idle cut-off by heartbeats of
// its own, notices a drop by the silence and opens a new connection.
// node node_client.js PORT CONTROL_PORT STAY_S; NODE_PATH names the folder of the package. Prints a line for each step.

const http = require("http");
const { CTraderConnection } = require("@reiryoku/ctrader-layer");

const [port, control, stay] = process.argv.slice(2).map(Number);
const account = 1001;
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const say = (...words) => console.log(...words);

const order = (fault) => new Promise((resolve, reject) => {
    const request = http.request({ host: "127.0.0.1", port: control, path: "/faults", method: "POST" }, (answer) => {
        answer.resume();
        answer.on("end", resolve);
    });
    request.on("error", reject);
    request.end(fault);
});

async function session() {
    const connection = new CTraderConnection({ host: "localhost", port });
    await connection.open();
    say("connected");
    const beat = setInterval(() => connection.sendHeartbeat(), 1000);
    let spots = 0;
    connection.on("ProtoOASpotEvent", () => { spots += 1; });
    await connection.sendCommand("ProtoOAApplicationAuthReq", { clientId: "sim", clientSecret: "sim-secret" });
    say("application");
    await connection.sendCommand("ProtoOAAccountAuthReq", { ctidTraderAccountId: account, accessToken: "sim-token" });
    say("account");
    const list = await connection.sendCommand("ProtoOASymbolsListReq", { ctidTraderAccountId: account });
    const symbolId = list.symbol
        .filter((symbol) => ["EURUSD", "XAUUSD", "BTCUSD"].includes(symbol.symbolName))
        .map((symbol) => symbol.symbolId);
    say("symbols", list.symbol.length);
    await connection.sendCommand("ProtoOASubscribeSpotsReq", { ctidTraderAccountId: account, symbolId });
    return { connection, beat, count: () => spots };
}

async function main() {
    let live = await session();
    await wait(stay * 1000);
    say("spots", live.count());
    await order("drop");
    await wait(500);
    const before = live.count();
    await wait(2000);
    if (live.count() === before) {
        say("disconnected");
    }
    clearInterval(live.beat);
    live.connection.close();
    live = await session();
    await wait(2000);
    say("spots", live.count());
    say("done");
    process.exit(0);
}

setTimeout(() => process.exit(3), 60000).unref();
main().catch((error) => {
    say("failed", JSON.stringify(error), String(error));
    process.exit(1);
});
