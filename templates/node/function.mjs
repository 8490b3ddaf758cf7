/**
 * Called once per invocation; `event` is the JSON that was sent. What it returns is the answer.
 *
 * What it prints goes to the log: `cloudfunc logs function_name`.
 */
export async function handler(event) {
  const name = event.name ?? 'World';
  console.log(`greeting ${name}`);
  return { greeting: `Hello ${name}!` };
}
