import { useCallback, useEffect, useState } from "react";
import { createRoot } from "react-dom/client";
import { call, Refused } from "./api.js";

function Alert({ text }) {
  return text === "" ? null : <p role="alert">{text}</p>;
}

function TextForm({ label, button, initial = "", onSubmit, id }) {
  const [text, setText] = useState(initial);
  async function submit(event) {
    event.preventDefault();
    if (await onSubmit(text)) setText(initial);
  }
  return (
    <form onSubmit={submit}>
      <input id={id} type="text" aria-label={label} placeholder={label} value={text}
        onChange={(event) => setText(event.target.value)} />
      <button type="submit">{button}</button>
    </form>
  );
}

function Todo({ todo, onChange, onDelete }) {
  return (
    <li className={todo.done ? "done" : ""}>
      <input id={`todo-${todo.id}`} type="checkbox" checked={todo.done} onChange={() => onChange({ done: !todo.done })} />
      <label htmlFor={`todo-${todo.id}`}>{todo.title}</label>
      {todo.author && <span className="author">{todo.author}</span>}
      <button type="button" aria-label={`Delete ${todo.title}`} onClick={onDelete}>Delete</button>
    </li>
  );
}

function App() {
  const [list, setList] = useState(null);
  // Undefined until the API has said it: a name given before would go into another session than the one that its answer begins.
  const [name, setName] = useState();
  const [problem, setProblem] = useState("");

  // Does something with the API, shows the list as it is then, and says what went wrong. True if nothing did.
  const act = useCallback(async (work) => {
    try {
      if (work) await work();
      setList(await call("GET", "/todos"));
      setProblem("");
      return true;
    } catch (error) {
      setProblem(error instanceof Refused ? error.message : "The todo list does not answer at the moment. It is tried again.");
      return false;
    }
  }, []);

  useEffect(() => {
    let timer;
    let isGone = false;
    const ask = async () => {
      const isKnown = await act(async () => setName((await call("GET", "/me")).name));
      if (!isGone) timer = isKnown ? setInterval(() => act(), 3000) : setTimeout(ask, 3000);
    };
    ask();
    return () => {
      isGone = true;
      clearInterval(timer);
    };
  }, [act]);

  return (
    <main>
      <h1>Todo</h1>
      <Alert text={problem} />
      {name === undefined ? null : name === null
        ? <TextForm id="name" label="Your name" button="That's me"
            onSubmit={(text) => act(async () => setName((await call("PUT", "/me", { name: text })).name))} />
        : <p id="hello">Hello, {name}.</p>}
      <TextForm id="title" label="What is to be done?" button="Add"
        onSubmit={(title) => act(() => call("POST", "/todos", { title }))} />
      {list === null ? <p aria-busy="true">Loading…</p> : (
        <ul id="todos">
          {list.todos.map((todo) => (
            <Todo key={todo.id} todo={todo} onChange={(change) => act(() => call("PATCH", `/todos/${todo.id}`, change))}
              onDelete={() => act(() => call("DELETE", `/todos/${todo.id}`))} />
          ))}
        </ul>
      )}
      <footer>
        {list?.counts && <p id="counts">{list.counts.open} open, {list.counts.done} done</p>}
        {list?.tidied_at && <p id="tidied">Last tidied at {new Date(list.tidied_at).toLocaleTimeString()}.</p>}
      </footer>
    </main>
  );
}

createRoot(document.getElementById("root")).render(<App />);
