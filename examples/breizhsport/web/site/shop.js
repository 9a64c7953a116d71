"use strict";
// The page of the shop: everything it shows comes from /api, and it says so when that does not answer.

const euros = new Intl.NumberFormat("fr-FR", { style: "currency", currency: "EUR" });
const at = (id) => document.getElementById(id);

class Refused extends Error {}

// Reads are tried again for a while: a replica or the database may just be coming back.
async function call(method, path, body) {
  const tries = method === "GET" ? 4 : 1;
  for (let attempt = 1; ; attempt += 1) {
    try {
      const answer = await fetch(path, {
        method,
        headers: body === undefined ? {} : { "Content-Type": "application/json" },
        body: body === undefined ? undefined : JSON.stringify(body),
      });
      const value = await answer.json();
      if (answer.ok) { show("message", ""); return value; }
      if (answer.status < 500) throw new Refused(value.error);
      throw new Error(value.error);
    } catch (error) {
      if (error instanceof Refused || attempt === tries) throw error;
      await new Promise((resolve) => setTimeout(resolve, 500 * attempt));
    }
  }
}

function show(id, text) {
  at(id).textContent = text;
  at(id).hidden = text === "";
}

function complain(error) {
  show("message", error instanceof Refused ? error.message : "La boutique ne répond pas pour le moment. Réessayez dans un instant.");
}

function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

async function showProducts() {
  const products = await call("GET", "/api/products");
  at("products").replaceChildren(...products.map((product) => {
    const item = element("li", undefined, { "data-product": product.id });
    const stock = product.stock > 0 ? `${product.stock} en stock` : "épuisé";
    const button = element("button", "Ajouter au panier", { type: "button", "aria-label": `Ajouter au panier : ${product.name}` });
    button.disabled = product.stock === 0;
    button.addEventListener("click", () => guarded(() => add(product.id)));
    const price = element("p", `${euros.format(product.price_cents / 100)} — ${stock}`, { class: "price" });
    item.append(element("h3", product.name), element("p", product.description), price, button);
    return item;
  }));
  at("products").setAttribute("aria-busy", "false");
}

async function cart() {
  const known = localStorage.getItem("cart");
  if (known !== null) {
    try {
      return await call("GET", `/api/carts/${known}`);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      localStorage.removeItem("cart"); // of a database that is gone
    }
  }
  return null;
}

async function add(product) {
  let current = await cart();
  if (current === null) {
    current = await call("POST", "/api/carts");
    localStorage.setItem("cart", current.id);
  }
  const before = current.items.find((item) => item.product === product)?.quantity ?? 0;
  await put(current.id, product, before + 1);
}

async function put(identifier, product, quantity) {
  showCart(await call("PUT", `/api/carts/${identifier}/items/${product}`, { quantity }));
  show("confirmation", "");
}

function showCart(current) {
  const items = current?.items ?? [];
  at("cart-empty").hidden = items.length > 0;
  at("cart").hidden = items.length === 0;
  at("order").hidden = items.length === 0;
  at("total").textContent = euros.format((current?.total_cents ?? 0) / 100);
  at("cart").tBodies[0].replaceChildren(...items.map((item) => {
    const row = element("tr");
    const remove = element("button", "Retirer", { type: "button", "aria-label": `Retirer : ${item.name}` });
    remove.addEventListener("click", () => guarded(() => put(current.id, item.product, 0)));
    const last = element("td");
    last.append(remove);
    row.append(element("td", item.name), element("td", String(item.quantity)),
      element("td", euros.format(item.quantity * item.price_cents / 100)), last);
    return row;
  }));
}

async function order(event) {
  event.preventDefault();
  // Pressed twice, or sent again: a cart is ordered once.
  const made = await call("POST", "/api/orders", { cart: localStorage.getItem("cart"), customer: at("customer").value });
  localStorage.removeItem("cart");
  showCart(null);
  show("confirmation", `Merci ! Votre commande nº ${made.id} est enregistrée : ${euros.format(made.total_cents / 100)}.`);
  await showProducts();
}

async function guarded(work) {
  try { await work(); } catch (error) { complain(error); }
}

at("order").addEventListener("submit", (event) => { event.preventDefault(); guarded(() => order(event)); });

(async function start() {
  try {
    await showProducts();
    showCart(await cart());
  } catch (error) {
    complain(error);
    setTimeout(start, 3000);
  }
})();
