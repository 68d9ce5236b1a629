// SPDX-License-Identifier: MIT
// The sin, in the wild: an HTTP server whose `upgrade` handler answers and forgets the socket. Node has taken its own handlers
// off by then and half-open is allowed, so a client that hangs up stays in CLOSE-WAIT for ever. Plain requests are served.
'use strict';

const http = require('http');

const server = http.createServer((request, response) => {
    response.end('still serving\n');
});

server.on('upgrade', (request, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n');
});

server.listen(0, '127.0.0.1', () => {
    console.log(`listening ${server.address().port}`);
});
