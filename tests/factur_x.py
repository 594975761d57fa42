"""An invoice in CII, the one that `evals/cases/ubl/ubl-tc434-example4.xml` says in UBL, and PDFs that carry files."""

from io import BytesIO

from pypdf import PdfWriter

_LINE = """<ram:IncludedSupplyChainTradeLineItem>
  <ram:AssociatedDocumentLineDocument><ram:LineID>{number}</ram:LineID></ram:AssociatedDocumentLineDocument>
  <ram:SpecifiedTradeProduct><ram:Name>{name}</ram:Name></ram:SpecifiedTradeProduct>
  <ram:SpecifiedLineTradeAgreement><ram:NetPriceProductTradePrice>
    <ram:ChargeAmount>{price}</ram:ChargeAmount><ram:BasisQuantity unitCode="C62">1</ram:BasisQuantity>
  </ram:NetPriceProductTradePrice></ram:SpecifiedLineTradeAgreement>
  <ram:SpecifiedLineTradeDelivery><ram:BilledQuantity unitCode="C62">{qty}</ram:BilledQuantity></ram:SpecifiedLineTradeDelivery>
  <ram:SpecifiedLineTradeSettlement><ram:SpecifiedTradeSettlementLineMonetarySummation>
    <ram:LineTotalAmount>{total}</ram:LineTotalAmount>
  </ram:SpecifiedTradeSettlementLineMonetarySummation></ram:SpecifiedLineTradeSettlement>
</ram:IncludedSupplyChainTradeLineItem>"""
_LINES = "".join(
    _LINE.format(number=number, name=name, price=price, qty=qty, total=price * qty)
    for number, name, price, qty in ((1, "Printing paper", 1, 1000), (2, "Parker Pen", 5, 100), (3, "American Cookies", 5, 500))
)
CII = f"""<?xml version="1.0" encoding="UTF-8"?>
<rsm:CrossIndustryInvoice xmlns:rsm="urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100"
  xmlns:ram="urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100"
  xmlns:udt="urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100">
<rsm:ExchangedDocumentContext>
  <ram:TestIndicator><udt:Indicator>false</udt:Indicator></ram:TestIndicator>
  <ram:GuidelineSpecifiedDocumentContextParameter><ram:ID>urn:cen.eu:en16931:2017</ram:ID></ram:GuidelineSpecifiedDocumentContextParameter>
</rsm:ExchangedDocumentContext>
<rsm:ExchangedDocument>
  <ram:ID>TOSL110</ram:ID><ram:TypeCode>380</ram:TypeCode>
  <ram:IssueDateTime><udt:DateTimeString format="102">20130410</udt:DateTimeString></ram:IssueDateTime>
</rsm:ExchangedDocument>
<rsm:SupplyChainTradeTransaction>
{_LINES}
<ram:ApplicableHeaderTradeAgreement>
  <ram:SellerTradeParty>
    <ram:GlobalID schemeID="0088">5790000436101</ram:GlobalID><ram:Name>SellerCompany</ram:Name>
    <ram:SpecifiedLegalOrganization><ram:ID>DK16356706</ram:ID></ram:SpecifiedLegalOrganization>
    <ram:SpecifiedTaxRegistration><ram:ID schemeID="FC">12/345</ram:ID></ram:SpecifiedTaxRegistration>
    <ram:SpecifiedTaxRegistration><ram:ID schemeID="VA">DK16356706</ram:ID></ram:SpecifiedTaxRegistration>
  </ram:SellerTradeParty>
  <ram:BuyerOrderReferencedDocument><ram:IssuerAssignedID>123</ram:IssuerAssignedID></ram:BuyerOrderReferencedDocument>
</ram:ApplicableHeaderTradeAgreement>
<ram:ApplicableHeaderTradeSettlement>
  <ram:InvoiceCurrencyCode>DKK</ram:InvoiceCurrencyCode>
  <ram:SpecifiedTradeSettlementHeaderMonetarySummation>
    <ram:LineTotalAmount>4000</ram:LineTotalAmount><ram:TaxBasisTotalAmount>4000</ram:TaxBasisTotalAmount>
    <ram:TaxTotalAmount currencyID="DKK">675</ram:TaxTotalAmount>
    <ram:GrandTotalAmount>4675</ram:GrandTotalAmount><ram:DuePayableAmount>4675</ram:DuePayableAmount>
  </ram:SpecifiedTradeSettlementHeaderMonetarySummation>
</ram:ApplicableHeaderTradeSettlement>
</rsm:SupplyChainTradeTransaction>
</rsm:CrossIndustryInvoice>
"""


def pdf_with(*files: tuple[str, str], password: str = "") -> bytes:
    """A PDF of one empty page that carries files (name, content)."""
    writer, made = PdfWriter(), BytesIO()
    writer.add_blank_page(200, 200)
    for name, content in files:
        writer.add_attachment(name, content.encode())
    if password:
        writer.encrypt(password)
    writer.write(made)
    return made.getvalue()
