"""Sums up orders: takes them as CSV, returns what was sold of each product as CSV, the best one first.

    printf 'product,quantity,price\\ntea,3,2.50\\npot,1,19.99\\n' > orders.csv
    cloudfunc invoke report --data @orders.csv --content-type text/csv
"""

import csv
import io
from collections import defaultdict
from decimal import Decimal

COLUMNS = ("product", "quantity", "price")


def handler(event):
    orders = csv.DictReader(io.StringIO(event))
    missing = [name for name in COLUMNS if name not in (orders.fieldnames or ())]
    if missing:
        raise ValueError(f"the first line names no column {', '.join(missing)}")
    sold, revenue = defaultdict(int), defaultdict(Decimal)
    for order in orders:
        quantity = int(order["quantity"])
        sold[order["product"]] += quantity
        revenue[order["product"]] += quantity * Decimal(order["price"])
    report = io.StringIO()
    rows = csv.writer(report, lineterminator="\n")
    rows.writerow(("product", "sold", "revenue"))
    for product in sorted(revenue, key=revenue.get, reverse=True):
        rows.writerow((product, sold[product], f"{revenue[product]:.2f}"))
    return report.getvalue()
