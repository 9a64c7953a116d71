"""Breizhsport: products, carts and orders over PostgreSQL."""
