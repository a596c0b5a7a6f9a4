'use strict';
// The rhea suite of make interop.
//
//     npm ci
//     INTEROP='{"addr":"127.0.0.1:5672"}' node suite.js run | send SUITE | receive SUITE
//
// What INTEROP may say, and what "send" and "receive" do, stands at the go-amqp
// suite (../goamqp/main.go). The last line is "rhea: N passed, N failed".

const { Env, TEST_LIMIT, limit } = require('./env');
const cross = require('./cross');

function allTests(config) {
  const tests = {
    ...require('./deliveries'),
    ...require('./flows'),
    ...require('./types'),
    ...require('./connections').tests,
  };
  if (config.auth_addr) Object.assign(tests, require('./connections').authTests);
  if (config.never) Object.assign(tests, require('./connections').neverTests);
  return tests;
}

function chosen(config, mode, args) {
  if (mode === 'run' && args.length === 0) {
    return Object.entries(allTests(config)).filter(([name]) => name.includes(config.only || ''));
  }
  if (mode === 'send' && args.length === 1) {
    return [[`send-to-${args[0]}`, (env) => cross.send(env, args[0])]];
  }
  if (mode === 'receive' && args.length === 1) {
    return [[`receive-from-${args[0]}`, (env) => cross.receive(env, args[0])]];
  }
  console.error('usage: INTEROP=... node suite.js run | send SUITE | receive SUITE');
  process.exit(2);
}

async function runOne(config, name, run) {
  const env = new Env(config, name);
  try {
    await limit(run(env), TEST_LIMIT, 'the test');
    return undefined;
  } catch (error) {
    return error;
  } finally {
    env.close();
  }
}

async function main() {
  const config = JSON.parse(process.env.INTEROP);
  const tests = chosen(config, process.argv[2], process.argv.slice(3));
  let failed = 0;
  for (const [name, run] of tests) {
    const wrong = await runOne(config, name, run);
    if (wrong) {
      failed++;
      console.log(`FAIL rhea ${name}: ${wrong.stack || wrong}`);
    } else {
      console.log(`ok   rhea ${name}`);
    }
  }
  console.log(`rhea: ${tests.length - failed} passed, ${failed} failed`);
  process.exit(failed ? 1 : 0);
}

main();
