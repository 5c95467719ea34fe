#!/usr/bin/node
// Sessions of node's pg: sessions.js PLAY CONNINFO, with NODE_PATH from tools/node-pg.
//
// Brings its connections where the driver's users bring theirs, prints "ready", and stays until it is signalled. The
// conninfo is libpq's; its password is in PGPASSFILE.
"use strict";

const fs = require("fs");
const pg = require("pg");

const [play, conninfo] = process.argv.slice(2);
const words = Object.fromEntries(conninfo.split(/\s+/).filter(Boolean).map((word) => word.split("=")));
const config = {
	host: words.host,
	port: Number(words.port),
	user: words.user,
	database: words.dbname,
	password: fs.readFileSync(process.env.PGPASSFILE, "utf8").trim().split(":").pop(),
};

function stay() {
	console.log("ready");
	setInterval(() => {}, 3600 * 1000);
}

async function openPool(query) {
	const pool = new pg.Pool({ ...config, min: 2, max: 2, idleTimeoutMillis: 0 });
	const clients = [await pool.connect(), await pool.connect()];
	for (const client of clients) {
		if (query)
			await client.query(query);
		client.release();
	}
	return pool;
}

async function openClient(query) {
	const client = new pg.Client(config);
	await client.connect();
	await client.query(query);
}

const plays = {
	pool: () => openPool("SELECT 1"),
	// connected in advance, and never needed
	unused: () => openPool(null),
	// an await that was forgotten between BEGIN and COMMIT
	transaction: () => openClient("BEGIN"),
	listen: () => openClient("LISTEN jobs"),
	// ends in order
	end: () => {
		const opened = openPool("SELECT 1");
		process.on("SIGINT", async () => {
			await (await opened).end();
			process.exit(0);
		});
		return opened;
	},
	// exits without closing its pool
	exit: () => {
		process.on("SIGINT", () => process.exit(0));
		return openPool("SELECT 1");
	},
};

plays[play]().then(stay);
