// The way to the API. What the user can put right is a Refused; anything else means that the API is away.

export class Refused extends Error {}

export async function call(method, path, body) {
  const answer = await fetch(`/api${path}`, {
    method,
    headers: body === undefined ? {} : { "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (answer.status === 204) return null;
  const value = await answer.json();
  if (answer.ok) return value;
  if (answer.status === 422) throw new Refused(Object.values(value.errors).flat().join(" "));
  if (answer.status < 500) throw new Refused(value.message);
  throw new Error(value.message);
}
