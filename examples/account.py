"""A class, and an exception that one scope raises and another catches."""


class Account:
    def __init__(self, owner, balance=0):
        self.owner = owner
        self.balance = balance

    def __repr__(self):
        return f"Account({self.owner!r}, {self.balance})"

    def withdraw(self, amount):
        if amount > self.balance:
            raise ValueError(f"{self.owner} has only {self.balance}")
        self.balance -= amount
        return self.balance


def pay(owner, balance, amounts):
    account = Account(owner, balance)
    refused = []
    for amount in amounts:
        try:
            account.withdraw(amount)
        except ValueError as error:
            refused.append(str(error))
    return account, refused
