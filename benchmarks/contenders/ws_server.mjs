// The contender `ws`: the way such a relay is usually written on Node.js. A loop over all clients, and for each one
// that wants the symbol a JSON.stringify and a send.

import net from "node:net";
import { createRequire } from "node:module";

const [port, feedPort, modules, symbolList] = process.argv.slice(2);
const { WebSocketServer, WebSocket } = createRequire(modules + "/")("ws");
const symbols = symbolList.split(",");
const RECORD_BYTES = 20;

const server = new WebSocketServer({ host: "127.0.0.1", port: Number(port), backlog: 1024 });
const clients = new Map();

server.on("connection", (socket) => {
  const wanted = new Set();
  clients.set(socket, wanted);
  socket.on("message", (data) => {
    const request = JSON.parse(data);
    if (request.type === "connect") {
      socket.send(JSON.stringify({ type: "status", status: "connected", availableSymbols: symbols }));
      return;
    }
    if (request.type === "ping") {
      socket.send(JSON.stringify({ type: "pong", timestamp: Date.now() }));
      return;
    }
    const results = request.symbols.map((symbol) => {
      wanted.add(symbol);
      return { symbol, status: "subscribed" };
    });
    socket.send(JSON.stringify({ type: "subscribeResponse", results }));
  });
  socket.on("close", () => clients.delete(socket));
});

function relay(symbolId, bid, ask) {
  const symbol = symbols[symbolId - 1];
  const spread = Math.round((ask - bid) * 100000) / 100000;
  const tick = { type: "tick", symbol, symbolId, bid, ask, spread, timestamp: Date.now() };
  for (const [socket, wanted] of clients) {
    if (wanted.has(symbol) && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(tick));
  }
}

let rest = Buffer.alloc(0);
const feed = net.connect(Number(feedPort), "127.0.0.1");
feed.on("data", (data) => {
  const bytes = rest.length ? Buffer.concat([rest, data]) : data;
  let at = 0;
  for (; at + RECORD_BYTES <= bytes.length; at += RECORD_BYTES) {
    relay(bytes.readUInt32LE(at), bytes.readDoubleLE(at + 4), bytes.readDoubleLE(at + 12));
  }
  rest = bytes.subarray(at);
});
feed.on("close", () => process.exit());
