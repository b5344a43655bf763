// Runs in Node and in a page: connects, subscribes, and reports the first ticks, or how the connection ended.
"use strict";

function watch(url, report) {
  const socket = new WebSocket(url, ["tickrelay.v1.json"]);
  const ticks = [];
  socket.onopen = () => socket.send(JSON.stringify({ type: "subscribe", symbols: ["EURUSD", "BTCUSD"] }));
  socket.onmessage = (event) => {
    const message = JSON.parse(event.data);
    if (message.type === "tick" && ticks.push(message) === 5) {
      report({ protocol: socket.protocol, ticks });
      socket.close();
    }
  };
  socket.onclose = (event) => {
    if (ticks.length < 5) report({ closed: event.code, ticks });
  };
}

if (typeof window === "undefined") {
  watch(process.argv[2], (outcome) => console.log(JSON.stringify(outcome)));
} else {
  const url = decodeURIComponent(location.search.slice(1));
  watch(url, (outcome) => fetch("/report", { method: "POST", body: JSON.stringify(outcome) }));
}
