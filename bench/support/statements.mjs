import { createConnection } from 'mysql2/promise';

const USER = 'parley_bench';
const WRITES = new Set(
  ['insert', 'update', 'delete', 'replace', 'insert_select'].map((name) => `statement/sql/${name}`),
);
const COUNTS = `SELECT event_name AS name, count_star AS count
  FROM performance_schema.events_statements_summary_by_user_by_event_name WHERE user = '${USER}' AND count_star > 0`;

/** Counts the statements of one MySQL user in MySQL's performance schema. */
export class StatementCounter {
  static async open(serverUrl) {
    const counter = new StatementCounter();
    counter.connection = await createConnection(serverUrl);
    await counter.connection.query(`DROP USER IF EXISTS ${USER}@'%'`);
    await counter.connection.query(`CREATE USER ${USER}@'%'`);
    await counter.connection.query(`GRANT ALL ON *.* TO ${USER}@'%'`);
    const url = new URL(serverUrl);
    url.username = USER;
    url.password = '';
    counter.url = url.href;
    return counter;
  }

  async read() {
    const [rows] = await this.connection.query(COUNTS);
    const sum = (some) => some.reduce((total, { count }) => total + Number(count), 0);
    return { all: sum(rows), writes: sum(rows.filter(({ name }) => WRITES.has(name))) };
  }

  async close() {
    await this.connection.query(`DROP USER IF EXISTS ${USER}@'%'`);
    await this.connection.end();
  }
}
