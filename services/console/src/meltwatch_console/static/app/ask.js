/** Questions to the API; what is answered instead is an error with its reason. */

/** @param {string} address */
export async function ask(address) {
  const answer = await fetch(`api/v1/${address}`);
  if (answer.ok) return answer.json();
  const said = await answer.json().catch(() => ({}));
  throw new Error(said.error?.message ?? String(answer.status));
}
