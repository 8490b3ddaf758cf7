"""A small shop: a web server in Flask, without a network. It lists products, shows one and takes orders.

    cloudfunc invoke shop --method GET --path /products
    cloudfunc invoke shop --method GET --path '/products?at_most=10'
    cloudfunc invoke shop --path /orders --data '{"product": "tea", "quantity": 2}'

What is missing or wrong is answered 404 or 422: the invocation has succeeded, since the server did its work.
"""

from decimal import Decimal

from flask import Flask, jsonify, request, url_for

app = Flask(__name__)
PRODUCTS = {"tea": Decimal("2.50"), "pot": Decimal("19.99"), "cup": Decimal("4.00")}


@app.get("/products")
def products():
    at_most = request.args.get("at_most", type=float)
    cheap = [name for name, price in PRODUCTS.items() if at_most is None or price <= at_most]
    return jsonify([shown(name) for name in sorted(cheap)])


@app.get("/products/<name>")
def product(name):
    return shown(name) if name in PRODUCTS else (problem(f"there is no {name}"), 404)


@app.post("/orders")
def order():
    wanted = request.get_json()
    name, quantity = wanted.get("product"), wanted.get("quantity", 1)
    if name not in PRODUCTS:
        return problem(f"there is no {name}"), 422
    if not isinstance(quantity, int) or quantity < 1:
        return problem("the quantity is a whole number from 1 on"), 422
    # An instance keeps nothing: a real shop would store the order in a database.
    print(f"ordered: {quantity} {name}")
    total = f"{quantity * PRODUCTS[name]:.2f}"
    return {"product": name, "quantity": quantity, "total": total}, 201, {"Location": url_for("product", name=name)}


def shown(name):
    return {"name": name, "price": f"{PRODUCTS[name]:.2f}"}


def problem(detail):
    return {"problem": detail}
