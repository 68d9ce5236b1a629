// SPDX-License-Identifier: MIT
// A server and its client in one Node: an answer, half-closed by the client; a child process with pipes; the server closes.
const net = require('net');
const { spawnSync } = require('child_process');

const server = net.createServer({ allowHalfOpen: true }, (socket) => {
	let text = '';
	socket.on('data', (bytes) => (text += bytes));
	socket.on('end', () => socket.end('answer to ' + text));
});
server.listen(0, '127.0.0.1', () => {
	const client = net.connect(server.address().port, '127.0.0.1', () => client.end('question'));
	client.on('data', (bytes) => console.log(String(bytes)));
	client.on('close', () => {
		console.log(String(spawnSync('sh', ['-c', 'echo child; exit 3']).stdout));
		server.close(() => console.log('closed'));
	});
});
