// SPDX-License-Identifier: MIT
// The sin, in the wild: an HTTP server whose `upgrade` handler answers and forgets the socket. Node has taken its own handlers
// off by then and half-open is allowed, so a client that hangs up stays in CLOSE-WAIT for ever. Plain requests are served; and on a
// port of their own good_neighbours.py, in the protocol of stuck_backend.py.
'use strict';

const http = require('http');
const net = require('net');

const server = http.createServer((request, response) => {
    response.end('still serving\n');
});

server.on('upgrade', (request, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n');
});

const neighbours = net.createServer({ allowHalfOpen: true }, (socket) => {
    let request = '';

    socket.on('error', () => {});
    socket.on('data', (data) => {
        request += data;
        if (request.startsWith('echo\n')) {
            socket.write(request.slice('echo\n'.length));
            request = 'echo\n';
        }
    });
    socket.on('end', () => {
        const lines = request.startsWith('talk ') ? Number(request.slice('talk '.length)) : 0;
        let said = 0;
        const talk = () => {
            if (said === lines) {
                socket.end();
            } else {
                socket.write(`${said++}\n`);
                setTimeout(talk, 100);
            }
        };
        talk();
    });
});

server.listen(0, '127.0.0.1', () => {
    console.log(`listening ${server.address().port}`);
});

neighbours.listen(0, '127.0.0.1', () => {
    console.log(`neighbours ${neighbours.address().port}`);
});
