/** True only under `npm run dev`, `npm run demo` and the tests; a literal `false` in everything that is deployed. */
declare const DEVELOPMENT_MAILBOX: boolean;
