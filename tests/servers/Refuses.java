/* SPDX-License-Identifier: MIT */
/* A handler that refuses an upload without reading it, in the web server of the JDK. */
import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;

class Refuses {
	public static void main(String[] arguments) throws Exception {
		HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(arguments[0])), 0);

		server.createContext("/", exchange -> {
			byte[] answer = new byte[200 << 10];

			exchange.sendResponseHeaders(413, answer.length);
			exchange.getResponseBody().write(answer);
			exchange.close();
		});
		server.start();
	}
}
