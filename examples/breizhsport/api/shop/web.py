"""The HTTP side: JSON in, JSON out, errors too."""

import logging
import time
import uuid

import flask
from sqlalchemy import text
from werkzeug.exceptions import HTTPException

from . import orders
from .database import DatabaseAway, make_engine, transaction


def create_app():
    app = flask.Flask(__name__)
    app.json.ensure_ascii = False
    engine = make_engine()

    @app.before_request
    def note_beginning():
        flask.request.environ["shop.began"] = time.monotonic()

    # The process is alive. It can do without the database for a while, and restarting it would help nobody.
    @app.get("/healthz")
    def healthz():
        return {"status": "ok"}

    @app.get("/readyz")
    def readyz():
        with transaction(engine) as connection:
            connection.execute(text("SELECT 1"))
        return {"status": "ok"}

    @app.get("/api/products")
    def products():
        with transaction(engine) as connection:
            return flask.jsonify(orders.products(connection))

    @app.post("/api/carts")
    def make_cart():
        with transaction(engine) as connection:
            return orders.cart(connection, orders.make_cart(connection)), 201

    @app.get("/api/carts/<uuid:cart>")
    def cart(cart):
        with transaction(engine) as connection:
            return orders.cart(connection, str(cart))

    @app.put("/api/carts/<uuid:cart>/items/<int:product>")
    def put_item(cart, product):
        quantity = body().get("quantity")
        if not isinstance(quantity, int) or isinstance(quantity, bool) or not 0 <= quantity <= 100:
            raise orders.Refused("La quantité est un nombre de 0 à 100.", 400)
        with transaction(engine) as connection:
            return orders.put_item(connection, str(cart), product, quantity)

    @app.post("/api/orders")
    def order():
        wanted = body()
        customer = wanted.get("customer")
        if not isinstance(customer, str) or not 1 <= len(customer.strip()) <= 100:
            raise orders.Refused("Il faut un nom, de 100 lettres au plus.", 400)
        try:
            cart = str(uuid.UUID(wanted.get("cart")))
        except (AttributeError, TypeError, ValueError) as error:
            raise orders.Refused("Il faut le numéro du panier.", 400) from error
        with transaction(engine) as connection:
            return orders.order(connection, cart, customer.strip()), 201

    @app.get("/api/orders/summary")
    def summary():
        with transaction(engine) as connection:
            return orders.orders(connection)

    def body():
        value = flask.request.get_json(silent=True)
        if not isinstance(value, dict):
            raise orders.Refused("Le corps de la requête doit être un objet JSON.", 400)
        return value

    @app.errorhandler(orders.Refused)
    def refused(error):
        return {"error": str(error)}, error.status

    @app.errorhandler(DatabaseAway)
    def away(error):
        logging.warning("the database is away: %s", error)
        return {"error": "La boutique ne répond pas pour le moment."}, 503, {"Retry-After": "2"}

    @app.errorhandler(HTTPException)
    def http_error(error):
        return {"error": error.description}, error.code

    @app.errorhandler(Exception)
    def unexpected(error):
        logging.exception("unexpected")
        return {"error": "Une erreur inattendue s'est produite."}, 500

    return app
