"""What customers do: look, fill a cart, order. Each function is one transaction's work on an open connection."""

from sqlalchemy import text


class Refused(Exception):
    """The request can't be done as it stands; the text is for the customer."""

    def __init__(self, message, status=409):
        super().__init__(message)
        self.status = status


def products(connection):
    rows = connection.execute(text("SELECT id, name, description, price_cents, stock FROM products ORDER BY id"))
    return [dict(row._mapping) for row in rows]


def make_cart(connection):
    return str(connection.execute(text("INSERT INTO carts DEFAULT VALUES RETURNING id")).scalar_one())


def cart(connection, identifier):
    found = connection.execute(text("SELECT 1 FROM carts WHERE id = :id"), {"id": identifier}).first()
    if found is None:
        raise Refused("Ce panier n'existe pas.", 404)
    rows = connection.execute(text(
        "SELECT product, name, quantity, price_cents FROM cart_items JOIN products ON products.id = product"
        " WHERE cart = :id ORDER BY product"), {"id": identifier})
    items = [dict(row._mapping) for row in rows]
    return {
        "id": identifier, "items": items,
        "total_cents": sum(item["quantity"] * item["price_cents"] for item in items),
    }


def put_item(connection, identifier, product, quantity):
    """Sets how many of a product are in the cart; 0 takes it out."""
    cart(connection, identifier)
    if connection.execute(text("SELECT 1 FROM products WHERE id = :id"), {"id": product}).first() is None:
        raise Refused("Ce produit n'existe pas.", 404)
    where = {"cart": identifier, "product": product, "quantity": quantity}
    if quantity == 0:
        connection.execute(text("DELETE FROM cart_items WHERE cart = :cart AND product = :product"), where)
    else:
        connection.execute(text(
            "INSERT INTO cart_items VALUES (:cart, :product, :quantity)"
            " ON CONFLICT (cart, product) DO UPDATE SET quantity = :quantity"), where)
    return cart(connection, identifier)


def order(connection, identifier, customer):
    """Orders what is in the cart, all of it or nothing. A cart that was ordered already gives that order again."""
    # Whoever orders the same cart at the same time waits here.
    connection.execute(text("SELECT 1 FROM carts WHERE id = :id FOR UPDATE"), {"id": identifier})
    known = connection.execute(
        text("SELECT id, total_cents FROM orders WHERE cart = :cart"), {"cart": identifier}).first()
    if known is not None:
        return dict(known._mapping)
    wanted = cart(connection, identifier)
    if not wanted["items"]:
        raise Refused("Le panier est vide.")
    # By number, so that two orders never wait for each other; the condition is checked when the row is ours.
    for item in wanted["items"]:
        taken = connection.execute(text(
            "UPDATE products SET stock = stock - :quantity WHERE id = :product AND stock >= :quantity"), item)
        if taken.rowcount == 0:
            raise Refused(f"Il n'y a plus assez de « {item['name']} ».")
    made = connection.execute(text(
        "INSERT INTO orders (cart, customer, total_cents) VALUES (:cart, :customer, :total) RETURNING id"),
        {"cart": identifier, "customer": customer, "total": wanted["total_cents"]}).scalar_one()
    for item in wanted["items"]:
        connection.execute(text(
            'INSERT INTO order_items ("order", product, quantity, price_cents)'
            " VALUES (:order, :product, :quantity, :price_cents)"), {"order": made, **item})
    return {"id": made, "total_cents": wanted["total_cents"]}


def orders(connection):
    """How many there are and what they come to: for whoever keeps the shop."""
    row = connection.execute(text("SELECT count(*) AS count, coalesce(sum(total_cents), 0) AS total_cents FROM orders"))
    return dict(row.one()._mapping)
