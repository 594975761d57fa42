"""Tryton as the ERP of another company."""
