// Contenders on Node.js with `ws`. MODE says how ticks are sent:
//
//   naive      for each client that wants the symbol a JSON.stringify and a send: the usual way
//   once       JSON.stringify once a tick, then a send for each client
//   corked     the same, and the socket is corked until the turn of the event loop ends: one write a client and turn
//   coalesced  frames are made once, and at the end of the turn joined for each list of symbols: one write of one
//              buffer a client and turn. What the relay does, on Node.js.
//
//     node node_server.mjs MODE PORT FEED_PORT MODULES SYMBOL[,SYMBOL...] [KEY CERTIFICATE]

import fs from "node:fs";
import http from "node:http";
import https from "node:https";
import net from "node:net";
import { createRequire } from "node:module";

const [mode, port, feedPort, modules, symbolList, key, certificate] = process.argv.slice(2);
const { WebSocketServer, WebSocket } = createRequire(modules + "/")("ws");
const symbols = symbolList.split(",");
const RECORD_BYTES = 20;

const listener = key
  ? https.createServer({ key: fs.readFileSync(key), cert: fs.readFileSync(certificate) })
  : http.createServer();
const server = new WebSocketServer({ server: listener });
listener.listen({ host: "127.0.0.1", port: Number(port), backlog: 1024 });

const clients = new Map();
const lists = new Map(); // coalesced: list of symbol ids, as text -> its clients

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
    leaveList(socket, wanted);
    const results = request.symbols.map((symbol) => {
      wanted.add(symbol);
      return { symbol, status: "subscribed" };
    });
    joinList(socket, wanted);
    socket.send(JSON.stringify({ type: "subscribeResponse", results }));
  });
  socket.on("close", () => {
    leaveList(socket, wanted);
    clients.delete(socket);
  });
});

const keyOf = (wanted) => [...wanted].sort().join();

function joinList(socket, wanted) {
  const name = keyOf(wanted);
  if (!lists.has(name)) lists.set(name, { ids: [...wanted].map((s) => symbols.indexOf(s) + 1), sockets: new Set() });
  lists.get(name).sockets.add(socket);
}

function leaveList(socket, wanted) {
  const name = keyOf(wanted);
  const list = lists.get(name);
  if (list?.sockets.delete(socket) && !list.sockets.size) lists.delete(name);
}

function message(symbol, symbolId, bid, ask) {
  const spread = Math.round((ask - bid) * 100000) / 100000;
  return { type: "tick", symbol, symbolId, bid, ask, spread, timestamp: Date.now() };
}

function* wanting(symbol) {
  for (const [socket, wanted] of clients) {
    if (wanted.has(symbol) && socket.readyState === WebSocket.OPEN) yield socket;
  }
}

const held = new Set();

function cork(socket) {
  if (!held.size) setImmediate(uncork);
  if (held.has(socket)) return;
  held.add(socket);
  socket._socket.cork();
}

function uncork() {
  for (const socket of held) socket._socket?.uncork();
  held.clear();
}

const pending = new Map(); // symbol id -> this turn's frames

function frame(text) {
  const size = Buffer.byteLength(text);
  const head = size < 126 ? Buffer.from([0x81, size]) : Buffer.from([0x81, 126, size >> 8, size & 255]);
  return Buffer.concat([head, Buffer.from(text)]);
}

function flush() {
  const blocks = new Map();
  for (const [id, frames] of pending) blocks.set(id, frames.length > 1 ? Buffer.concat(frames) : frames[0]);
  pending.clear();
  for (const { ids, sockets } of lists.values()) {
    const mine = [];
    for (const id of ids) if (blocks.has(id)) mine.push(blocks.get(id));
    if (!mine.length) continue;
    const joined = mine.length > 1 ? Buffer.concat(mine) : mine[0];
    for (const socket of sockets) if (socket.readyState === WebSocket.OPEN) socket._socket.write(joined);
  }
}

const relay = {
  naive(symbol, tick) {
    for (const socket of wanting(symbol)) socket.send(JSON.stringify(tick));
  },
  once(symbol, tick) {
    const text = JSON.stringify(tick);
    for (const socket of wanting(symbol)) socket.send(text);
  },
  corked(symbol, tick) {
    const text = JSON.stringify(tick);
    for (const socket of wanting(symbol)) {
      cork(socket);
      socket.send(text);
    }
  },
  coalesced(symbol, tick) {
    if (!pending.size) setImmediate(flush);
    const frames = pending.get(tick.symbolId);
    const one = frame(JSON.stringify(tick));
    if (frames) frames.push(one);
    else pending.set(tick.symbolId, [one]);
  },
}[mode];

let rest = Buffer.alloc(0);
const feed = net.connect(Number(feedPort), "127.0.0.1");
feed.on("data", (data) => {
  const bytes = rest.length ? Buffer.concat([rest, data]) : data;
  let at = 0;
  for (; at + RECORD_BYTES <= bytes.length; at += RECORD_BYTES) {
    const symbolId = bytes.readUInt32LE(at);
    const symbol = symbols[symbolId - 1];
    relay(symbol, message(symbol, symbolId, bytes.readDoubleLE(at + 4), bytes.readDoubleLE(at + 12)));
  }
  rest = bytes.subarray(at);
});
feed.on("close", () => process.exit());
