"""The rows, a module for each area: each adds its own with table.Area. New areas are named in behaviour.py."""
