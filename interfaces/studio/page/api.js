// Asks the studio. A refusal is an Error whose message is a sentence.
export async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(`api/${path}`, options);
  } catch {
    throw new Error("The studio does not answer. Is it still running?");
  }
  if (answer.ok) return answer;
  const text = await answer.text();
  let sentence = text.trim();
  try {
    sentence = JSON.parse(text).error;
  } catch {
    // The guard answers in plain text.
  }
  throw new Error(sentence);
}

export const read = async (path) => (await ask(path)).json();

export const send = (path, body) =>
  ask(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });

// Listens to a stream of events while the page can be seen: a browser opens six connections to a
// server at most, and every hidden page would hold one. Returns a function that ends it.
export function listen(path, handlers) {
  const connection = document.getElementById("connection");
  let source = null;
  const open = () => {
    source = new EventSource(`api/${path}`);
    for (const [kind, handle] of Object.entries(handlers))
      source.addEventListener(kind, (event) => handle(JSON.parse(event.data)));
    source.onopen = () => {
      connection.textContent = "";
    };
    source.onerror = () => {
      connection.textContent =
        source.readyState === EventSource.CLOSED
          ? "The connection has ended: load the page again."
          : "The studio does not answer…";
    };
  };
  const close = () => {
    source?.close();
    source = null;
  };
  const changed = () => {
    if (document.hidden) close();
    else if (!source) open();
  };
  document.addEventListener("visibilitychange", changed);
  open();
  return () => {
    document.removeEventListener("visibilitychange", changed);
    close();
    connection.textContent = "";
  };
}
