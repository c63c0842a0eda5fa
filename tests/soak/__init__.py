"""A gateway under constant load for half an hour: does it grow, and does its journal as documented?"""
